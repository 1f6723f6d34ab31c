alter schema api_v1 rename to api;
comment on schema api is 'Stable views: applications read these, and the tables below may change.';
