-- Nothing that must be refused. The off-by-one ranges of splits are in every such database.
INSERT INTO registry_user (id, name, primary_contact, roles, organisation) VALUES
    (3, 'Ada', 'ada@example.org', '{GC Issuer,Production Registrar}', NULL),
    (5, 'Bob', 'bob@example.org', '{TRADING_USER}', 'Bob plc');
INSERT INTO account (id, account_name, user_ids, account_whitelist) VALUES
    (2, 'Wind Ltd', '{3}', '{}'), (4, 'Bob plc', '{5}', '{2}');
INSERT INTO useraccountlink (user_id, account_id) VALUES (3, 2), (5, 4);
INSERT INTO device (id, device_name, meter_data_id, account_id) VALUES (7, 'Wind farm', 'METER-7', 2);
INSERT INTO issuancemetadata (id) VALUES (2);
SELECT reading(1, 7, 0, 1000), reading(2, 7, 1, 500), reading(3, 7, 2, 300), reading(4, 7, 9, 800);
-- of 10, 250 Wh went to account 4; of those, 100 Wh were cancelled for Alice Ltd; the other 750 Wh are reserved
SELECT bundle(10, 7, 0, 2, 'ACTIVE', 1, 1000, 1000, TRUE),
       bundle(14, 7, 0, 4, 'ACTIVE', 1, 251, 250, TRUE),
       bundle(15, 7, 0, 2, 'RESERVED', 252, 1000, 750),
       bundle(20, 7, 0, 4, 'CANCELLED', 1, 101, 100),
       bundle(22, 7, 0, 4, 'ACTIVE', 102, 251, 150);
SELECT bundle(11, 7, 1, 2, 'CLAIMED', 1001, 1500, 500);
SELECT bundle(12, 7, 2, 2, 'LOCKED', 1501, 1800, 300);
SELECT bundle(13, 7, 3, 2, 'WITHDRAWN', 1801, 1900, 100);
SELECT action(1, 'TRANSFER', '[10]'), action(2, 'CANCEL', '[14]', 'Alice Ltd'), action(3, 'RESERVE', '[15]'),
       action(4, 'CANCEL', '[11]', 'Carol SA'), action(5, 'CLAIM', '[11]'), action(6, 'CANCEL', '[22]', 'Nobody', 'rejected');
