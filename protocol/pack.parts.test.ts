import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { buildPackage } from './build.ts'

const run = promisify(execFile)
const modules = join(import.meta.dirname, '../node_modules')

describe('the packed package', () => {
  let consumer: string
  let manifest: { exports: Record<string, unknown>; dependencies: Record<string, string> }

  beforeAll(async () => {
    consumer = await mkdtemp(join(tmpdir(), 'hexachord-consumer-'))
    const built = join(consumer, 'built')
    await buildPackage(built)
    await run('npm', ['pack', '--offline', '--pack-destination', consumer], { cwd: built })
    manifest = JSON.parse(await readFile(join(built, 'package.json'), 'utf8'))
    const { name, version } = JSON.parse(await readFile(join(built, 'package.json'), 'utf8'))
    const installed = join(consumer, 'node_modules', name)
    await mkdir(installed, { recursive: true })
    const tarball = `${name.replace('@', '').replace('/', '-')}-${version}.tgz`
    await run('tar', ['-xzf', join(consumer, tarball), '-C', installed, '--strip-components=1'])
    for (const dependency of [...Object.keys(manifest.dependencies), '@types/node']) {
      const link = join(consumer, 'node_modules', dependency)
      await mkdir(dirname(link), { recursive: true })
      await symlink(join(modules, dependency), link)
    }
    await writeFile(join(consumer, 'package.json'), '{ "type": "module" }')
  }, 120_000)

  afterAll(() => rm(consumer, { recursive: true, force: true }))

  test('runs in plain Node', async () => {
    await writeFile(
      join(consumer, 'play.js'),
      `import { lintPlaylist } from '@hexachord/protocol/hls-lint'
import { masterPlaylist } from '@hexachord/protocol/playlists'
import { loadTrack } from '@hexachord/protocol/manifests'
import vector from '@hexachord/protocol/vectors/track.json' with { type: 'json' }

const blocks = new Map(vector.blocks.map(({ cid, bytes }) => [cid, Buffer.from(bytes.slice(2), 'hex')]))
const track = await loadTrack(vector.manifest, async (cid) => blocks.get(cid))
const playlist = masterPlaylist(track, { renditionUris: (_, name) => [name + '.m3u8'] })
console.log(JSON.stringify({ findings: lintPlaylist(playlist), lines: playlist.split('\\n').length }))
`,
    )
    const { stdout, stderr } = await run(process.execPath, ['play.js'], { cwd: consumer })
    expect(JSON.parse(stdout)).toEqual({ findings: [], lines: 10 })
    expect(stderr).toBe('')
  })

  test('has a door for each of its folders, and each of them opens', async () => {
    const doors = Object.keys(manifest.exports).filter((door) => !door.includes('*'))
    expect(doors).toEqual(expect.arrayContaining(['./names', './playlists', './retrieval', './signing']))
    const imports = doors.map((door) => `import '@hexachord/protocol/${door.slice(2)}'\n`)
    await writeFile(join(consumer, 'doors.js'), imports.join(''))
    await expect(run(process.execPath, ['doors.js'], { cwd: consumer })).resolves.toEqual({
      stdout: '',
      stderr: '',
    })
  })

  test('has types by which a strict consumer compiles, and by which a wrong one does not', async () => {
    await writeFile(
      join(consumer, 'consumer.ts'),
      `import type { LoadedTrack } from '@hexachord/protocol/manifests'
import { masterPlaylist } from '@hexachord/protocol/playlists'
import { createRetriever, type Retrieved } from '@hexachord/protocol/retrieval'

export const write = (track: LoadedTrack): string => masterPlaylist(track, { renditionUris: () => [] })
const retriever = createRetriever({ fetch, now: () => 0, sources: () => [] })
export const retrieve = (cid: string): Promise<Retrieved> => retriever.retrieve(cid)
// @ts-expect-error a playlist is no number
export const wrong: number = masterPlaylist
`,
    )
    const compiler = fileURLToPath(import.meta.resolve('typescript/bin/tsc'))
    const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2024', '--types', 'node']
    const compiled = run(process.execPath, [compiler, ...options, 'consumer.ts'], { cwd: consumer })
    await expect(compiled.catch(({ stdout }) => stdout)).resolves.toEqual({ stdout: '', stderr: '' })
  }, 60_000)
})
