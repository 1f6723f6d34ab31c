revoke insert on notifications from beacon_upkeep;
drop table archives;
