import { spawn, spawnSync } from 'node:child_process'
import { chmod, copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { claimNetwork } from './running-network.ts'

/** A checkout of its own with a false npm and a false old Node on the PATH: nothing is downloaded. */
let folder: TemporaryFolder
let root: string
let bin: string

beforeEach(async () => {
  folder = await makeTemporaryFolder()
  root = path.join(folder.path, 'a checkout with spaces')
  bin = path.join(folder.path, 'bin')
  await mkdir(path.join(root, 'scripts/setup'), { recursive: true })
  await mkdir(bin)
  for (const file of [
    'bootstrap.sh',
    'refuse-while-running.ts',
    'running-network.ts',
    'process-identity.ts',
    'setup-error.ts',
  ]) {
    await copyFile(path.join(import.meta.dirname, file), path.join(root, 'scripts/setup', file))
  }
  await copyFile(path.join(import.meta.dirname, '../start'), path.join(root, 'scripts/start'))
  await writeFile(path.join(root, 'package.json'), '{"type":"module"}')
  await writeFile(path.join(root, 'package-lock.json'), '{"lockfileVersion":3}')
  await writeFile(
    path.join(root, 'scripts/start.ts'),
    'console.log(JSON.stringify({ node: process.execPath, cwd: process.cwd(), args: process.argv.slice(2) }))',
  )
})
afterEach(() => folder.remove())

async function program(name: string, script: string): Promise<void> {
  await writeFile(path.join(bin, name), `#!/bin/sh\n${script}\n`)
  await chmod(path.join(bin, name), 0o755)
}

/** An npm that "downloads" the Node of these tests and "installs" an empty node_modules. */
function npm(install = 'mkdir -p node_modules'): Promise<void> {
  return program(
    'npm',
    `echo "npm $1 $3" >>"${folder.path}/npm-calls"
case $1 in
  pack)
    mkdir -p package/bin
    ln -s "${process.execPath}" package/bin/node
    tar -czf "$(echo "$3" | sed 's/@/-/').tgz" package && rm -r package ;;
  ci) ${install} ;;
esac`,
  )
}

const useThisNode = () => symlink(process.execPath, path.join(bin, 'node'))
const useOldNode = () => program('node', 'echo 20')
const npmCalls = async () =>
  (await readFile(path.join(folder.path, 'npm-calls'), 'utf8')).trimEnd().split('\n')

const environment = () => ({ PATH: `${bin}:/usr/bin:/bin`, HOME: folder.path })

function start(shell = '/bin/sh', ...args: string[]) {
  return spawnSync(shell, [path.join(root, 'scripts/start'), ...args], {
    cwd: folder.path,
    env: environment(),
    encoding: 'utf8',
  })
}

/** Whatever Node the system has itself, the tests must see theirs. */
function seesOurNode(): boolean {
  return spawnSync('/bin/sh', ['-c', 'command -v node'], {
    env: environment(),
    encoding: 'utf8',
  }).stdout.startsWith(bin)
}

describe('setting a checkout up', () => {
  test('uses a Node that is new enough, installs, and hands over arguments and folder', async () => {
    await useThisNode()
    await npm()
    expect(seesOurNode()).toBe(true)
    const run = start('/bin/sh', '--once', 'a song.flac')
    expect(run.stderr).toContain('Installing packages')
    expect(JSON.parse(run.stdout)).toEqual({
      node: process.execPath,
      cwd: folder.path,
      args: ['--once', 'a song.flac'],
    })
    expect(await npmCalls()).toEqual(['npm ci'])
  })

  test('brings Node where it is too old, once', async () => {
    await useOldNode()
    await npm()
    const first = start()
    expect(first.stderr).toContain('Bringing Node 24')
    expect(JSON.parse(first.stdout).node).toBe(process.execPath)
    const second = start()
    expect(second.stderr).toBe('')
    expect((await npmCalls()).map((call) => call.replace(/node-\w+-\w+@/, ''))).toEqual([
      'npm pack 24.21.0',
      'npm ci',
    ])
    const made = ['compile-cache', 'installed', 'node', 'setup.log']
    expect((await readdir(path.join(root, '.hexachord'))).sort()).toEqual(made)
  })

  test('installs again when the lock file has changed, and only then', async () => {
    await useThisNode()
    await npm()
    start()
    start()
    expect(await npmCalls()).toHaveLength(1)
    await writeFile(path.join(root, 'package-lock.json'), '{"lockfileVersion":3,"packages":{}}')
    start()
    expect(await npmCalls()).toHaveLength(2)
  })

  test('shows the end of the log when npm fails, and tries again the next time', async () => {
    await useThisNode()
    await npm('echo "npm error 404 no such package" >&2; exit 1')
    const failed = start()
    expect(failed.status).toBe(1)
    expect(failed.stdout).toBe('')
    expect(failed.stderr).toContain('npm error 404 no such package')
    await npm()
    expect(start().status).toBe(0)
  })

  test('says what to do when the Node that was brought does not run here', async () => {
    await useOldNode()
    await program(
      'npm',
      'mkdir -p package/bin; printf "#!/bin/sh\\nexit 126\\n" >package/bin/node; chmod +x package/bin/node; tar -czf "$(echo "$3" | sed "s/@/-/").tgz" package',
    )
    const run = start()
    expect(run.status).toBe(1)
    expect(run.stderr).toContain('does not run on this system')
    expect(await readdir(path.join(root, '.hexachord'))).toEqual(['setup.log'])
  })

  test('says what is missing when there is no npm', async () => {
    await useOldNode()
    const run = spawnSync('/bin/sh', [path.join(root, 'scripts/start')], {
      env: { PATH: await pathWithout('npm'), HOME: folder.path },
      encoding: 'utf8',
    })
    expect(run.status).toBe(1)
    expect(run.stderr).toContain('npm was not found')
  })

  test('refuses to replace packages under a running network, and names it', async () => {
    await useThisNode()
    await npm()
    const { release } = claimNetwork(path.join(root, '.hexachord'))
    const run = start()
    release()
    expect(run.status).toBe(2)
    expect(run.stderr).toContain(`pid ${process.pid}`)
    expect(start().status).toBe(0)
  })

  test('is done once by two that begin at the same time', async () => {
    await useThisNode()
    await npm('mkdir -p node_modules; sleep 1')
    const runs = await Promise.all([startAside(), startAside()])
    expect(runs.map(({ code }) => code)).toEqual([0, 0])
    expect(await npmCalls()).toEqual(['npm ci'])
    expect(runs.map(({ stderr }) => stderr).join('')).toContain('Waiting for another set-up')
  }, 20_000)

  test('goes on after a set-up that was killed while it held the lock', async () => {
    await useThisNode()
    await npm()
    const { pid } = spawnSync('true')
    await mkdir(path.join(root, '.hexachord/setup.lock'), { recursive: true })
    await writeFile(path.join(root, '.hexachord/setup.lock/pid'), `${pid}\n`)
    expect(start().status).toBe(0)
    expect(await readdir(path.join(root, '.hexachord'))).not.toContain('setup.lock')
  })
})

function startAside(): Promise<{ code: number | null; stderr: string }> {
  const child = spawn('/bin/sh', [path.join(root, 'scripts/start')], {
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk)
  })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stderr })))
}

/** A PATH with everything that the script needs, but without one program. */
async function pathWithout(missing: string): Promise<string> {
  const tools = path.join(folder.path, 'tools')
  await mkdir(tools)
  const found = spawnSync(
    '/bin/sh',
    ['-c', 'for t in sh dirname pwd mkdir cat rm mv id tail uname tar sleep; do command -v $t; done'],
    {
      encoding: 'utf8',
    },
  )
  for (const tool of found.stdout.split('\n').filter((line) => line.startsWith('/'))) {
    await symlink(tool, path.join(tools, path.basename(tool)))
  }
  await copyFile(path.join(bin, 'node'), path.join(tools, 'node'))
  expect(await readdir(tools)).not.toContain(missing)
  return tools
}
