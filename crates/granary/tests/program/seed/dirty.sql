-- Each fault once, on what clean.sql has. Comments name what must come of it.
INSERT INTO registry_user (id, name, primary_contact, roles, is_deleted) VALUES
    (8, 'Ada again', 'ada@example.org', '{Emperor}', FALSE),   -- contact taken, unknown role
    (9, 'Gone', 'gone@example.org', '{}', TRUE),               -- left out
    (10, '', 'ten@example.org', '{Admin}', FALSE);             -- no name
INSERT INTO account (id, account_name, user_ids, account_whitelist, is_deleted) VALUES
    (6, 'Wind Ltd', '{99}', '{6,77}', FALSE),                  -- name taken, dangling user, itself, dangling account
    (7, 'Closed', NULL, NULL, TRUE),                           -- left out
    (8, 'Closed too early', NULL, NULL, TRUE);                 -- holds bundle 40
INSERT INTO useraccountlink (user_id, account_id) VALUES (5, 99);
INSERT INTO device (id, device_name, meter_data_id, account_id, capacity) VALUES
    (8, 'Twin', 'METER-7', 2, 1000000),                        -- meter taken
    (9, 'Half a watt', NULL, 2, 1000.5),                       -- whole watts
    (10, 'Homeless', NULL, 99, 1000000),                       -- account missing
    (11, 'Battery', NULL, 2, 1000000),
    (12, 'Elexon', 'E-12', 2, 1000000),
    (13, 'Overlap', 'O-13', 2, 1000000);
UPDATE device SET is_storage = TRUE WHERE id = 11;
UPDATE device SET energy_source = 'Moonlight' WHERE id = 12;
SELECT reading(10, 7, 4, 400.75),                              -- whole Wh
       reading(11, 7, 9, 800),                                 -- states the same as 4
       reading(12, 7, 10, 100), reading(13, 7, 10, 120),       -- 13 takes the place of 12
       reading(14, 99, 0, 1),                                  -- device missing
       reading(15, 8, 0, 1),                                   -- device refused
       reading(16, 7, 11, -5),                                 -- negative
       reading(17, 7, 12, 700);
UPDATE measurementreport SET gross_net_indicator = '?' WHERE id = 17;
-- no reading was kept
SELECT bundle(30, 12, 0, 2, 'ACTIVE', 0, 100, 100);            -- states its reading; range from 0
SELECT bundle(31, 12, 0, 2, 'ACTIVE', 101, 150, 50);           -- minted: nothing says that more was made
-- minted by a split, and a family that goes with it
SELECT bundle(32, 12, 1, 2, 'BUNDLE_SPLIT', 201, 300, 100), bundle(33, 12, 1, 2, 'ACTIVE', 201, 261, 60),
       bundle(34, 12, 1, 2, 'ACTIVE', 262, 300, 60);
-- above its reading of 400
SELECT bundle(35, 7, 4, 2, 'ACTIVE', 2001, 2401, 401);
-- two beneficiaries, and one that came back from the dead
SELECT bundle(36, 12, 2, 2, 'CANCELLED', 401, 500, 100), bundle(37, 12, 3, 2, 'RESERVED', 501, 600, 100);
SELECT action(20, 'CANCEL', '[36]', 'Alice Ltd'), action(21, 'RESERVE', '[36]'), action(22, 'CANCEL', '[36]', 'Bob plc'),
       action(23, 'CANCEL', '[37]', 'Alice Ltd');
-- overlaps; certificates of a withdrawn bundle that were issued again
SELECT bundle(50, 13, 0, 2, 'ACTIVE', 1, 100, 100), bundle(51, 13, 1, 2, 'ACTIVE', 50, 149, 100),
       bundle(52, 13, 2, 2, 'WITHDRAWN', 201, 300, 100), bundle(53, 13, 3, 2, 'ACTIVE', 201, 320, 120);
-- nobody says for whom; held by a deleted account; on storage; deleted without parts; dangling
SELECT bundle(39, 12, 4, 2, 'CANCELLED', 601, 700, 100), bundle(40, 12, 5, 8, 'ACTIVE', 701, 800, 100),
       bundle(41, 11, 0, 2, 'ACTIVE', 1, 10, 10), bundle(42, 12, 6, 2, 'ACTIVE', 801, 900, 100, TRUE),
       bundle(43, 99, 0, 2, 'ACTIVE', 1, 10, 10), bundle(44, 12, 7, 99, 'ACTIVE', 901, 1000, 100),
       bundle(45, 12, 8, 2, 'ACTIVE', 1001, 1100, 100), bundle(46, 12, 9, 2, 'ACTIVE', 1101, 1200, 100),
       bundle(47, 12, 10, 2, 'ACTIVE', 1201, 1300, 100), bundle(48, 12, 11, 2, 'ACTIVE', 2000000, 4000000, 2000001),
       bundle(49, 12, 12, 2, 'ACTIVE', 5000001, 5000100, 100);
UPDATE granularcertificatebundle SET metadata_id = 99 WHERE id = 45;
UPDATE granularcertificatebundle SET face_value = 1000 WHERE id = 46;
UPDATE granularcertificatebundle SET created_at = '2999-01-01' WHERE id = 47;
UPDATE granularcertificatebundle SET production_starting_interval = '2020-01-01 00:00',
    production_ending_interval = '2020-01-01 01:00' WHERE id = 49; -- expired unnoticed
