import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openSqlite } from '@hexachord/platform/sqlite'
import { parseCid } from '@hexachord/protocol/cids'
import { subjectOf } from '@hexachord/protocol/names'
import { makeTemporaryFolder, type TemporaryFolder } from '@hexachord/scripts/testing'
import { takedownMigrations } from '@hexachord/storage/takedowns'
import { makeTestTrack, type TestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createOwnDenylist } from '../../storage/takedowns/own-denylist.ts'
import { createTakedownStore } from '../../storage/takedowns/takedown-store.ts'
import { whyMissing } from './debian.ts'
import { bringKubo } from './kubo/bring-kubo.ts'
import { initKubo, type Kubo } from './kubo/start-kubo.ts'

const kuboProgram = await bringKubo()
const run = 'path' in kuboProgram ? describe : describe.skip
const operator = `0x${'1'.repeat(40)}` as const
const office = `0x${'a'.repeat(40)}` as const
const track = subjectOf(operator, 1n)

run(`our list of takedowns in a real Kubo${whyMissing(kuboProgram)}`, () => {
  const program = 'path' in kuboProgram ? kuboProgram.path : ''
  let folder: TemporaryFolder
  let kubo: Kubo
  let denied: TestTrack
  let other: TestTrack

  beforeAll(async () => {
    folder = await makeTemporaryFolder()
    kubo = await initKubo(program, folder.path)
    denied = await makeTestTrack({ segments: 2, bandwidths: [96_000] })
    other = await makeTestTrack({ segments: 2, bandwidths: [96_000] })
    await kubo.start()
    for (const { cid, bytes } of [...denied.blocks, ...other.blocks]) await put(cid, bytes)
  }, 60_000)
  afterAll(async () => {
    await kubo?.stop()
    await folder?.remove()
  })

  async function put(cid: string, bytes: Uint8Array): Promise<void> {
    const file = path.join(folder.path, cid)
    await writeFile(file, bytes)
    const stored = await kubo.ipfs('block', 'put', `--cid-codec=${parseCid(cid).codec}`, file)
    expect(stored.trim()).toBe(cid)
  }

  const size = (cid: string) => kubo.ipfs('block', 'stat', '--offline', cid)

  /** As `GET /denylist` of a node gives it that has taken the first track down. */
  async function ourList(): Promise<string> {
    const database = openSqlite(':memory:', { migrations: takedownMigrations })
    const store = createTakedownStore(database)
    const digests = denied.blocks.map(({ cid }) => parseCid(cid).digest)
    store.note({ track, manifest: denied.manifest, complete: true }, digests)
    const notice = { notice: subjectOf(office, 1n), by: office, ground: 'copyright' as const }
    const denylist = createOwnDenylist({
      ...{ operator, store, now: Date.now },
      takedowns: {
        denied: () => [{ track, notices: [notice] }],
        isDenied: () => true,
        onChange: () => () => true,
      },
    })
    const { text } = await denylist()
    database.close()
    return text
  }

  test('keeps just the blocks of that track from everybody', async () => {
    for (const { cid } of [...denied.blocks, ...other.blocks]) expect(await size(cid)).toContain(cid)
    await kubo.stop()
    const directory = path.join(folder.path, 'ipfs', 'denylists')
    await mkdir(directory)
    await writeFile(path.join(directory, 'hexachord.deny'), await ourList())
    await kubo.start()
    for (const { cid } of denied.blocks) await expect(size(cid)).rejects.toThrow('blocked')
    for (const { cid } of other.blocks) expect(await size(cid)).toContain(cid)
  }, 60_000)
})
