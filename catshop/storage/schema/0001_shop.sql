-- The shop: what is sold, what lies in carts, what was ordered.
-- Money is integer cents, time is milliseconds since 1970-01-01 UTC.
-- A user is (issuer, subject): the stable id that a token proves, never a name.

CREATE TABLE products (
    id BIGINT PRIMARY KEY CHECK (id >= 1),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    price_cents BIGINT NOT NULL CHECK (price_cents >= 0),
    category TEXT NOT NULL
);

-- One row: a number that every change of the catalog raises, so that a reader sees with one look
-- whether what it remembers is still true, whichever process made the change.
CREATE TABLE catalog_edition (
    edition BIGINT NOT NULL
);

INSERT INTO catalog_edition (edition) VALUES (0);

CREATE TABLE cart_items (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    product_id BIGINT NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    quantity BIGINT NOT NULL CHECK (quantity BETWEEN 1 AND 99),
    PRIMARY KEY (issuer, subject, product_id)
);

-- An order keeps the name and the price that its products had, so it outlives the catalog.
CREATE TABLE orders (
    id TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    placed_at BIGINT NOT NULL,
    idempotency_key TEXT,
    UNIQUE (issuer, subject, idempotency_key)
);

CREATE INDEX orders_of_a_user ON orders (issuer, subject, placed_at);

CREATE TABLE order_items (
    order_id TEXT NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    product_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    price_cents BIGINT NOT NULL CHECK (price_cents >= 0),
    quantity BIGINT NOT NULL CHECK (quantity BETWEEN 1 AND 99),
    PRIMARY KEY (order_id, product_id)
);

CREATE INDEX orders_of_a_product ON order_items (product_id);
