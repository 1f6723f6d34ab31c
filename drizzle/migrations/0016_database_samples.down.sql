drop table webhook_deliveries;
drop table incidents;
drop table database_samples;
