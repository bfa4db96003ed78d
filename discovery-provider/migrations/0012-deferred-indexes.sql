-- Indexes that only readers need and that a first synchronisation does without: they are made at its end, when most
-- rows are there, for a fraction of what it costs to keep them up row by row. What stands here is not there; a later
-- migration that drops or changes one of these tables' indexes has to look here, too.
CREATE TABLE deferred_index (
  name text COLLATE "C" PRIMARY KEY,
  definition text NOT NULL
);

-- Its rows change again and again: with room in its pages a row stays where its key says it is.
ALTER TABLE tally SET (fillfactor = 70);
