-- The conversation of people that a bridge is, where they asked for it themselves.
ALTER TABLE bridge ADD COLUMN talk TEXT;
