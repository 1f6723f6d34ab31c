-- What is unknown stays unknown: an older version records it as absent again when it comes by.
select;
