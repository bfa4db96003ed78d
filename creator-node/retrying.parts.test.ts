import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { sendFile } from './fixtures/send-file.ts'
import { makeMusic } from './fixtures/test-music.ts'
import { fresh } from './fixtures/test-node.ts'
import { startTestWorld, type TestWorld } from './fixtures/test-world.ts'

let folder: string
let world: TestWorld
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-moody-'))
  // An ffmpeg that dies of its renditions, as one does that the system ends for want of memory: each time while
  // `broken` is there, once while `unlucky` is.
  const script = `#!/bin/sh
case "$*" in
  *"-f hls"*)
    if [ -e ${folder}/broken ] || rm ${folder}/unlucky 2>/dev/null; then kill -9 $$; fi ;;
esac
exec ffmpeg "$@"
`
  await writeFile(join(folder, 'ffmpeg'), script, { mode: 0o755 })
  world = await startTestWorld({ env: { FFMPEG_PATH: join(folder, 'ffmpeg') } })
}, 60_000)
afterAll(async () => {
  await world.close()
  await rm(folder, { recursive: true })
})

/** Another one for each name: of a file that it knows a node makes nothing again. */
const song = (name: string) =>
  makeMusic(world.folder, `${name}.mp3`, {
    seconds: 7,
    options: ['-b:a', '96k', '-metadata', `title=${name}`],
  })

describe('work that fails for no fault of the file', () => {
  test('is done again', async () => {
    await writeFile(join(folder, 'unlucky'), '')
    const id = await sendFile(world.node, fresh(), await song('once'))
    expect(await world.until(id, 'replicating', 'failed')).toMatchObject({ state: 'replicating' })
  }, 60_000)

  test('is given up in the end, with a reason that names no path of the node', async () => {
    await writeFile(join(folder, 'broken'), '')
    const id = await sendFile(world.node, fresh(), await song('never'))
    expect(await world.ended(id)).toMatchObject({
      ...{ state: 'failed', problem: 'processingFailed', reason: 'ffmpeg was killed with signal SIGKILL' },
    })
    await rm(join(folder, 'broken'))
    // And stands in nobody's way.
    const next = await sendFile(world.node, fresh(), await song('after'))
    expect(await world.until(next, 'replicating', 'failed')).toMatchObject({ state: 'replicating' })
  }, 120_000)
})
