INSERT INTO payme_charge (id, amount, account, state, hold, receipt_id, receipts, attempts, cancels, given_up, evidence, tries, due, created, changed, version, means, leased_until)
VALUES ('order-1', 50000, '{"order_id":1}', 'paid', false, 'rrrrrrrrrrrrrrrrrrrrrrrr', 1, 1, 0, false,
  'receipts.pay: PAID', 0, NULL, 1000.0, 1001.5, 1, X'6741414141414272426c7a4f757855765f314f6337555a6938376953666f4d7348706a4b33722d48796f4f525543694e354473726f63416677696e5a694555766e582d365556555a78354267594a6e666766316d45673465556f635f47683459747a63796374575f7777312d4c517153596937677878687533306878654f5954456272494a486167702d3572726f4b42744174356a31676334424265582d47394732345a7a7842434c5a61484c6a4769765f443542614e4e6e455a756c323378746570414a79345f496b706a524c6879595345726e3950415355594a6a6177306f773d3d', 0);
INSERT INTO payme_charge (id, amount, account, state, hold, receipt_id, receipts, attempts, cancels, given_up, evidence, tries, due, created, changed, version, means, leased_until)
VALUES ('order-2', 60000, '{"order_id":2}', 'paying', false, 'ssssssssssssssssssssssss', 1, 1, 0, false,
  'receipts.pay begins', 0, 1002.0, 1000.0, 1002.0, 0, X'6741414141414272426c7a4f757855765f314f6337555a6938376953666f4d7348706a4b33722d48796f4f525543694e354473726f63416677696e5a694555766e582d365556555a78354267594a6e666766316d45673465556f635f47683459747a63796374575f7777312d4c517153596937677878687533306878654f5954456272494a486167702d3572726f4b42744174356a31676334424265582d47394732345a7a7842434c5a61484c6a4769765f443542614e4e6e455a756c323378746570414a79345f496b706a524c6879595345726e3950415355594a6a6177306f773d3d', 1500.0);
INSERT INTO payme_charge_event (charge_id, version, at, before, after, evidence, receipt_id)
VALUES ('order-1', 0, 1000.0, NULL, 'new', 'submitted', NULL);
INSERT INTO payme_charge_event (charge_id, version, at, before, after, evidence, receipt_id)
VALUES ('order-1', 1, 1001.5, 'new', 'paid', 'receipts.pay: PAID', 'rrrrrrrrrrrrrrrrrrrrrrrr');
