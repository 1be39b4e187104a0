-- What is known of reactions is kept for a time only; milliseconds since 1970.
ALTER TABLE reaction ADD COLUMN until_ms INTEGER NOT NULL DEFAULT 0;
UPDATE reaction SET until_ms = at_ms + 2592000000;
CREATE INDEX reaction_until ON reaction (until_ms);
