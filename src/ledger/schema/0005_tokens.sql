-- Whose token an order came with: its name, where it has one.

ALTER TABLE gate_change ADD COLUMN token TEXT;
ALTER TABLE gate_override ADD COLUMN token TEXT;
ALTER TABLE budget_override ADD COLUMN token TEXT;
