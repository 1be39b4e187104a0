-- What lies beside a copy at its platform, and has to be deleted beside it.
ALTER TABLE copy ADD COLUMN beside TEXT;
