-- What the protocol plane must remember between two requests: which single-use states were used.
-- A row is a state that is spent; it may go once the state would be too old in any case.

CREATE TABLE protocol_used_states (
    id TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

CREATE INDEX protocol_used_states_by_end ON protocol_used_states (expires_at);
