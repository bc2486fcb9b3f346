CREATE TABLE orders (
    id           uuid PRIMARY KEY,
    product      text NOT NULL,
    quantity     integer NOT NULL,
    placed_at    timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'confirmed', 'closed')),
    delivered_at timestamptz
);

CREATE INDEX orders_by_time ON orders (placed_at);

-- The outbox: orders whose file and message are not sent yet. It is nearly always empty.
CREATE INDEX orders_to_deliver ON orders (placed_at) WHERE delivered_at IS NULL AND state = 'new';
