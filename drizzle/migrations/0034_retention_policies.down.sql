drop table retention_policies;
