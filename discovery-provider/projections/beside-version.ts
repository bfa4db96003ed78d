/** Statement that tells those who keep answers about tracks that something has changed which no action did, such as a
 * price; in the transaction that changes it. */
export const otherBeside = `INSERT INTO beside_version AS v (version) VALUES (1)
  ON CONFLICT (only_row) DO UPDATE SET version = v.version + 1`
