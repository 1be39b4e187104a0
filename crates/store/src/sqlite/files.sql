-- Copies of files know, by a keyed digest, which file of the original they are.
ALTER TABLE copy ADD COLUMN file TEXT;
