-- Whether members of a bridge read in the others who joins, leaves and renames: `off`, `digest`, `on`.
ALTER TABLE bridge ADD COLUMN notices TEXT NOT NULL DEFAULT 'off';
