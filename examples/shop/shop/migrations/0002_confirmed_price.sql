-- The price of one piece. The previous release does not know these columns, so they may be empty.
ALTER TABLE orders
    ADD COLUMN cents    bigint,
    ADD COLUMN currency text;
