import type { Postgres, PostgresClient } from '@hexachord/platform/postgres'
import type { CatalogueRules } from '@hexachord/protocol/catalogue'
import { projections } from '../projections/project.ts'
import { compareEntry, type Mismatch } from './compare-entry.ts'

export type SampleReport = {
  /** Keys of the state. */
  readonly compared: readonly string[]
  /** Those that depend on too much to be derived by themselves. */
  readonly skipped: readonly string[]
  readonly mismatches: readonly Mismatch[]
}

/** Profiles, tracks, playlists, comments and apps are one space, registers one each. */
const samplesOf = (space: string) => (space === 'subject' ? 8 : 1)

/** Derives some entries of the state anew, chosen by chance, and compares them with what is stored.
 * @param random from 0 to 1
 * @throws the signal's reason */
export async function compareSamples({
  postgres,
  rules,
  random,
  signal,
}: {
  postgres: Postgres
  rules: CatalogueRules
  random: () => number
  signal: AbortSignal
}): Promise<SampleReport> {
  const compared: string[] = []
  const skipped: string[] = []
  const mismatches: Mismatch[] = []
  for (const space of new Set(projections.map((projection) => projection.space))) {
    for (let sample = 0; sample < samplesOf(space); sample++) {
      // One moment each: the index may grow meanwhile.
      await postgres.transaction(
        async (client) => {
          const key = await chooseKey(client, space, random)
          if (key === undefined) return
          const found = await compareEntry(client, rules, key, signal)
          if (found === undefined) skipped.push(key)
          else compared.push(key)
          mismatches.push(...(found ?? []))
        },
        { isolation: 'repeatable read', readOnly: true },
      )
    }
  }
  return { compared, skipped, mismatches }
}

/** The first entry of a space behind a random address: names begin with the address of their author. */
async function chooseKey(
  client: PostgresClient,
  space: string,
  random: () => number,
): Promise<string | undefined> {
  const digits = Array.from({ length: 10 }, () =>
    Math.floor(random() * 65_536)
      .toString(16)
      .padStart(4, '0'),
  )
  for (const from of [`${space}/0x${digits.join('')}`, `${space}/`]) {
    const { rows } = await client.query<{ key: string }>(
      'SELECT key FROM state WHERE key >= $1 AND key < $2 ORDER BY key LIMIT 1',
      [from, `${space}0`],
    )
    if (rows[0] !== undefined) return rows[0].key
  }
  return undefined
}
