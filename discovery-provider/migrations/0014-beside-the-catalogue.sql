-- What answers about tracks tell besides the catalogue: prices, and what manifests say. Those who keep such answers read
-- them anew when it has another version. Whoever changes it counts on, in the same transaction.
CREATE TABLE beside_version (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version bigint NOT NULL
);
INSERT INTO beside_version (version) VALUES (1);
