drop table fleet_counters;
drop table instrument_renames;
drop table listed_markets;
