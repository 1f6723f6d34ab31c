-- What applications read carries its version: one that changes what they know stands beside it under the next, and this one
-- goes at a date that its comment names.

alter schema api rename to api_v1;
comment on schema api_v1 is 'What applications read, version 1: its views keep every column under its name and with its type, while the tables below may change.';
