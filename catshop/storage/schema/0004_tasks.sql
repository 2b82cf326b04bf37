-- Tasks of the protocol plane: calls that answer later, and whose they are.
-- `owner` is the principal's key as JSON, `payload` what the status brings: a result, an error or
-- the questions that are open. `beat_at` is when the process that runs the task last said so.

CREATE TABLE protocol_tasks (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('working', 'input_required', 'completed', 'failed', 'cancelled')),
    message TEXT,
    payload TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    beat_at BIGINT NOT NULL
);

CREATE INDEX protocol_tasks_of_an_owner ON protocol_tasks (owner);
CREATE INDEX protocol_tasks_by_end ON protocol_tasks (expires_at);
