import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { build, stop } from 'esbuild'
import { buildPackage as buildProtocol } from '../../protocol/build.ts'
import { buildPackage } from './build.ts'

const run = promisify(execFile)
const modules = join(import.meta.dirname, '../../node_modules')

/** What a page that plays needs, and what one that publishes needs besides. */
const playing = ['connect', 'finding', 'playing', 'hls-loader']
const publishing = [...playing, 'keys', 'uploading', 'publishing', 'writing']

describe('the packed package', () => {
  let consumer: string
  let doors: string[]

  beforeAll(async () => {
    consumer = await mkdtemp(join(tmpdir(), 'hexachord-consumer-'))
    await writeFile(join(consumer, 'package.json'), '{ "type": "module" }')
    const sdk = await install('sdk', buildPackage)
    const protocol = await install('protocol', buildProtocol)
    doors = Object.keys(sdk.exports).map((door) => door.slice(2))
    const dependencies = new Set([sdk, protocol].flatMap((built) => Object.keys(built.dependencies)))
    for (const dependency of [...dependencies, '@types/node']) {
      if (dependency.startsWith('@hexachord/')) continue
      const link = join(consumer, 'node_modules', dependency)
      await mkdir(dirname(link), { recursive: true })
      await symlink(join(modules, dependency), link)
    }
  }, 120_000)

  afterAll(async () => {
    // The bundler's process would stay for as long as ours, among the children of whatever is tested next.
    await stop()
    await rm(consumer, { recursive: true, force: true })
  })

  /** Builds, packs and unpacks a package where the consumer finds it. */
  async function install(
    name: string,
    buildTo: (outDir: string) => Promise<void>,
  ): Promise<{ exports: Record<string, unknown>; dependencies: Record<string, string> }> {
    const built = join(consumer, 'built', name)
    await buildTo(built)
    const { stdout } = await run('npm', ['pack', '--offline', '--silent', '--pack-destination', consumer], {
      cwd: built,
    })
    const installed = join(consumer, 'node_modules/@hexachord', name)
    await mkdir(installed, { recursive: true })
    const tarball = stdout.trim().split('\n').at(-1) ?? ''
    await run('tar', ['-xzf', join(consumer, tarball), '-C', installed, '--strip-components=1'])
    return JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'))
  }

  test('opens every one of its doors in plain Node', async () => {
    expect(doors).toEqual(expect.arrayContaining([...publishing, 'bridge']))
    expect(doors).not.toContain('fixtures')
    const imports = doors.map((door) => `import '@hexachord/sdk/${door}'\n`)
    await writeFile(join(consumer, 'doors.js'), imports.join(''))
    const plain = ['--no-experimental-strip-types', 'doors.js']
    await expect(run(process.execPath, plain, { cwd: consumer })).resolves.toEqual({ stdout: '', stderr: '' })
  }, 30_000)

  test('works in plain Node', async () => {
    await writeFile(
      join(consumer, 'work.js'),
      `import { createServer } from 'node:http'
import { connect, NoProvider } from '@hexachord/sdk/connect'
import { createKey, keyFromWords } from '@hexachord/sdk/keys'
import { startBridge } from '@hexachord/sdk/bridge'
import { uploadTrack } from '@hexachord/sdk/uploading'

const key = createKey()
const server = createServer((_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const away = await connect({ discovery: ['http://127.0.0.1:' + server.address().port] }).catch((error) => error)
server.close()
console.log(JSON.stringify({
  again: keyFromWords(key.words).address === key.address,
  away: away instanceof NoProvider,
  functions: [startBridge, uploadTrack].every((door) => typeof door === 'function'),
}))
`,
    )
    const { stdout, stderr } = await run(process.execPath, ['work.js'], { cwd: consumer })
    expect(JSON.parse(stdout)).toEqual({ again: true, away: true, functions: true })
    expect(stderr).toBe('')
  }, 30_000)

  test('has types by which a strict consumer compiles, and by which a wrong one does not', async () => {
    await writeFile(
      join(consumer, 'consumer.ts'),
      `import { connect, type Connection } from '@hexachord/sdk/connect'
import { trackFor } from '@hexachord/sdk/finding'
import { type HlsSource, hlsSource } from '@hexachord/sdk/hls-loader'
import { openTrack } from '@hexachord/sdk/playing'
import { sourceOf, type UploadSource } from '@hexachord/sdk/uploading'

export async function listen(words: string): Promise<HlsSource> {
  const connection: Connection = await connect({ discovery: ['https://discovery.example'] })
  return hlsSource(await openTrack(connection, await trackFor(connection, words)))
}
export const choose = (file: File): UploadSource => sourceOf(file)
// @ts-expect-error an upload needs more than a name
export const wrong: UploadSource = { filename: 'song.flac' }
`,
    )
    const compiler = fileURLToPath(import.meta.resolve('typescript/bin/tsc'))
    const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2024', '--types', 'node']
    const compiled = run(process.execPath, [compiler, ...options, 'consumer.ts'], { cwd: consumer })
    await expect(compiled.catch(({ stdout }) => stdout)).resolves.toEqual({ stdout: '', stderr: '' })
  }, 60_000)

  test.each([
    ['plays', playing, 110_000],
    ['publishes', publishing, 250_000],
  ])(
    'bundles for a page that %s, with nothing of Node in it',
    async (what, names, atMostBytes) => {
      const contents = names.map((door) => `export * from '@hexachord/sdk/${door}'\n`).join('')
      const { outputFiles, metafile, warnings } = await build({
        stdin: { contents, resolveDir: consumer, loader: 'js' },
        absWorkingDir: consumer,
        bundle: true,
        format: 'esm',
        platform: 'browser',
        target: 'es2022',
        minify: true,
        metafile: true,
        write: false,
        logLevel: 'silent',
      })
      expect(warnings).toEqual([])
      const external = Object.values(metafile.outputs).flatMap(({ imports }) => imports)
      expect(external).toEqual([])
      expect(
        Object.keys(metafile.inputs).filter((path) => /\/bridge\/|tus-js-client\/.*\/node\//.test(path)),
      ).toEqual([])
      const code = outputFiles[0]?.contents ?? new Uint8Array()
      const kB = (bytes: number) => `${Math.round(bytes / 1000)} kB`
      process.stderr.write(
        `A page that ${what} loads ${kB(code.length)} of SDK, ${kB(gzipSync(code).length)} gzipped (hls.js apart)\n`,
      )
      // Ethers, which signs, and zod, which checks, are most of it.
      expect(gzipSync(code).length).toBeLessThan(atMostBytes)
    },
    30_000,
  )
})
