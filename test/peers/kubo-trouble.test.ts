import path from 'node:path'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import { eventually, makeTemporaryFolder, type TemporaryFolder } from '@hexachord/scripts/testing'
import { type ConnectedIpfs, ipfsMigrations } from '@hexachord/storage/ipfs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { putList, putSample } from '../../storage/ipfs/compliance/subject.ts'
import { createKuboIpfs } from '../../storage/ipfs/kubo/kubo.ts'
import { requirements } from '../../storage/ipfs/kubo/required-config.ts'
import { whyMissing } from './debian.ts'
import { bringKubo } from './kubo/bring-kubo.ts'
import { initKubo, type Kubo } from './kubo/start-kubo.ts'

const kuboProgram = await bringKubo()
const logger = createLogger({ service: 'test', level: 'silent' })
const run = 'path' in kuboProgram ? describe : describe.skip

run(`trouble with a real Kubo${whyMissing(kuboProgram)}`, () => {
  const program = 'path' in kuboProgram ? kuboProgram.path : ''
  let folder: TemporaryFolder
  let kubo: Kubo
  let database: Sqlite
  let node: ConnectedIpfs | undefined

  beforeAll(async () => {
    folder = await makeTemporaryFolder()
    kubo = await initKubo(program, path.join(folder.path, 'kubo'))
  })
  afterAll(async () => {
    await kubo?.stop()
    await folder?.remove()
  })
  beforeEach(() => {
    database = openSqlite(':memory:', { migrations: ipfsMigrations })
  })
  afterEach(async () => {
    await node?.close()
    node = undefined
    database.close()
  })

  async function openNode(more: { secret?: string; signal?: AbortSignal } = {}): Promise<ConnectedIpfs> {
    const { secret = kubo.secret, signal = AbortSignal.timeout(30_000) } = more
    const directory = path.join(folder.path, 'node')
    node = await createKuboIpfs({ kubo: { url: kubo.apiUrl, secret }, directory, database, logger, signal })
    return node
  }

  test('a Kubo as it comes is refused, with commands that make it one to stand on', async () => {
    await kubo.start()
    const asked = ['Provide.Enabled', 'Datastore.Spec']
    const commands = requirements.filter(({ key }) => asked.includes(key)).map(({ command }) => command)
    expect(commands).toHaveLength(asked.length)
    await expect(openNode()).rejects.toMatchObject({
      name: 'KuboMisconfigured',
      commands: expect.arrayContaining(commands),
      message: expect.stringContaining('ipfs config Routing.Type none'),
    })
    await kubo.stop()
    await kubo.closeAndHarden()
    await kubo.start()
    await (await openNode()).check()
  })

  test('a wrong secret is said to be wrong, and is not shown', async () => {
    const opening = openNode({ secret: 'bearer:guessed-in-vain' })
    await expect(opening).rejects.toMatchObject({
      name: 'KuboRefused',
      message: expect.not.stringContaining('guessed'),
    })
  })

  test('a node waits for its Kubo, and no longer than it is told to', async () => {
    await kubo.stop()
    await expect(openNode({ signal: AbortSignal.timeout(300) })).rejects.toThrow(/timeout|abort/i)
    const opening = openNode()
    await kubo.start()
    await (await opening).check()
  })

  test('while Kubo is away every call says so; nothing is lost, and it goes on when Kubo is back', async () => {
    const open = await openNode()
    const leaf = await putSample(open, 'before', 20_000)
    const root = await putList(open, [leaf])
    await open.pin(root)
    await kubo.kill()
    const away = { name: 'KuboUnavailable', message: expect.stringContaining('does not answer') }
    await expect(open.check()).rejects.toMatchObject(away)
    await expect(open.get(leaf)).rejects.toMatchObject(away)
    await expect(open.has(leaf)).rejects.toMatchObject(away)
    await expect(putSample(open, 'meanwhile')).rejects.toMatchObject(away)
    await expect(open.collect({ graceMs: 0 })).rejects.toMatchObject(away)
    expect(await open.isPinned(root)).toBe(true)
    await kubo.start()
    await eventually(() => open.check().then(() => true), { describe: 'a sound node', deadlineMs: 20_000 })
    for (const cid of [root, leaf]) expect([cid, await open.verify(cid)]).toEqual([cid, 'ok'])
    expect(await open.verify(await putSample(open, 'meanwhile'))).toBe('ok')
    await open.unpin(root)
    await open.collect({ graceMs: 0 })
    expect(await open.usage()).toEqual({ blocks: 0, bytes: 0 })
  })

  test('a Kubo killed while it takes blocks has lost none that was acknowledged', async () => {
    const open = await openNode()
    const acknowledged: string[] = []
    const putting = Array.from({ length: 4 }, async (_, lane) => {
      for (let index = 0; ; index += 1) {
        try {
          acknowledged.push(await putSample(open, `lane ${lane} block ${index}`, 20_000))
        } catch {
          return
        }
        if (acknowledged.length === 24) await kubo.kill()
      }
    })
    await Promise.all(putting)
    expect(acknowledged.length).toBeGreaterThanOrEqual(24)
    await kubo.start()
    await eventually(() => open.check().then(() => true), { describe: 'a sound node', deadlineMs: 20_000 })
    for (const cid of acknowledged) expect([cid, await open.verify(cid)]).toEqual([cid, 'ok'])
    await open.collect({ graceMs: 0 })
    expect(await open.usage()).toEqual({ blocks: 0, bytes: 0 })
  })

  test('a Kubo that comes back with other settings is not used', async () => {
    const open = await openNode()
    await kubo.stop()
    await kubo.ipfs('config', '--json', 'Provide.Enabled', 'true')
    await kubo.start()
    await eventually(
      async () => {
        const trouble = await putSample(open, 'unsafe').catch((error: unknown) => error)
        return trouble instanceof Error ? trouble.name : trouble
      },
      { describe: 'a refusal', deadlineMs: 20_000, until: (name) => name === 'KuboMisconfigured' },
    )
    await kubo.ipfs('config', '--json', 'Provide.Enabled', 'false')
    await eventually(() => open.check().then(() => true), { describe: 'a sound node', deadlineMs: 20_000 })
  })

  test('a node does not take another Kubo for the one that has its blocks', async () => {
    await (await openNode()).close()
    const other = await initKubo(program, path.join(folder.path, 'other'))
    await other.closeAndHarden()
    await other.start()
    try {
      const opening = createKuboIpfs({
        kubo: { url: other.apiUrl, secret: other.secret },
        ...{ directory: path.join(folder.path, 'node'), database, logger },
      })
      await expect(opening).rejects.toThrow(kubo.peerId)
    } finally {
      await other.stop()
    }
  })
})
