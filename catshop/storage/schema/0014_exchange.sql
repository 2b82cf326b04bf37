-- A grant that came of another by token exchange; it is good as long as that one is.

ALTER TABLE oauth_families ADD COLUMN parent TEXT REFERENCES oauth_families (id) ON DELETE CASCADE;

CREATE INDEX oauth_families_of_a_family ON oauth_families (parent);
