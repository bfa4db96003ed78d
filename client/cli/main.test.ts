import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { subject } from '@hexachord/sdk/fixtures'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type Cli, type Network, newUser, startNetwork } from './fixtures/index.ts'

// Each of many processes takes half a second of a core to start.
jest.setTimeout(60_000)

const words = 'test test test test test test test test test test test junk'
const address = '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266'

let network: Network
let user: Cli
beforeAll(async () => {
  network = await startNetwork(await exampleTrack())
  user = await newUser(network.env)
})
afterAll(async () => {
  await user.remove()
  await network.close()
})

/** The one line of stdout that `--json` promises. */
function line(stdout: string): unknown {
  expect(stdout.match(/\n/g)).toHaveLength(1)
  return JSON.parse(stdout)
}

describe('wrong usage is one clear line and exit code 2', () => {
  test.each([
    ['no command', [], "a command is missing: 'hexachord --help' lists them"],
    ['an unknown command', ['pley'], "unknown command 'pley' (Did you mean play?)"],
    ['an unknown option', ['search', '--jsn', 'x'], "unknown option '--jsn' (Did you mean --json?)"],
    ['an unknown option of a command below', ['key', 'new', '--force'], "unknown option '--force'"],
    ['a missing argument', ['play'], "missing required argument 'track'"],
    ['one argument too many', ['play', 'a', 'b'], 'too many arguments'],
    ['a key command missing', ['key'], "a command is missing: 'hexachord --help' lists them"],
    ['a wrong choice', ['play', 'x', '--output', 'tape'], 'Allowed choices are speaker, null'],
    ['no origin', ['status', '--discovery', 'ftp://x'], "discovery: 'ftp://x' is no origin"],
    ['a notice about nothing', ['notice', 'x', '--ground', 'other'], "'x' is no track id"],
    ['a ground of no notice', ['notice', 'x', '--ground', 'taste'], 'Allowed choices are copyright'],
    ['writes for no time', ['app-password', 'allow-writes', '--days', '0'], 'no number from 1 to 365'],
    ['a device without a name', ['app-password', 'create', ''], 'a device has a name'],
    ['passwords of no author', ['app-password', 'list', '--author', 'guido'], "'guido' is not an address"],
    ['no such file', ['upload', 'none.flac'], 'none.flac cannot be read'],
    ['a folder', ['upload', '.'], '. is not a file'],
    ['a key that is not there', ['key', 'export', 'key.json'], "make one with 'hexachord key new'"],
    ['no terminal', ['key', 'restore'], 'there is no terminal to ask at: give --words-file'],
  ])('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await user(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^hexachord: [^\n]*\n$/)
    expect(stderr).toContain(message)
  })

  test('in JSON, if that was asked for', async () => {
    const { code, stdout, stderr } = await user('play', '--json')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(JSON.parse(stderr)).toEqual({ error: "missing required argument 'track'", code: 2 })
  })
})

test('help and version are no mistakes', async () => {
  await expect(user('--version')).resolves.toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' })
  const help = await user('--help')
  expect(help).toMatchObject({ code: 0, stderr: '' })
  expect(help.stdout).toContain('Exit codes: 0 done, 1 failed, 2 used wrongly, 3 not found')
  await expect(user('key', 'new', '--help')).resolves.toMatchObject({ code: 0, stderr: '' })
})

describe('asking the network', () => {
  test('searches', async () => {
    const found = await user('search', 'Six', 'notes')
    expect(found).toEqual({ code: 0, stdout: `track     ${subject}  Six notes by Guido\n`, stderr: '' })
    expect(line((await user('search', 'Six', 'notes', '--json')).stdout)).toMatchObject({
      tracks: [{ id: subject }],
    })
    await expect(user('search', 'nothing')).resolves.toMatchObject({ code: 0, stdout: 'nothing is found\n' })
  })

  test('shows how the network is doing, also where it is not', async () => {
    const { code, stdout } = await user('--json', 'status')
    expect(code).toBe(0)
    expect(line(stdout)).toMatchObject({
      providers: [{ origin: network.discovery.origin, indexed: 100, lagBlocks: 0 }],
      dropped: [],
      // The holders of this network have no status.
      nodes: Array(4).fill({ active: true, error: expect.any(String) }),
    })
    const text = await user('status')
    expect(text.stdout).toContain(`discovery  ${network.discovery.origin}  block 100, 0 behind`)
  })

  test('finds nothing with 3', async () => {
    await expect(user('play', `${subject}1`)).resolves.toMatchObject({
      code: 3,
      stdout: '',
      stderr: 'hexachord: no such track\n',
    })
    await expect(user('play', 'no such words')).resolves.toMatchObject({
      code: 3,
      stderr: "hexachord: no track is found for 'no such words'\n",
    })
  })

  test('ends with 4 when the network is away, and says which', async () => {
    const { code, stdout, stderr } = await user('search', 'x', '--discovery', 'http://127.0.0.1:1')
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
    expect(stderr).toMatch(/^hexachord: no discovery provider can be used: http:\/\/127.0.0.1:1.*\n$/)
  })

  test('goes on with those who are there', async () => {
    const both = `http://127.0.0.1:1,${network.discovery.origin}`
    const { code, stderr } = await user('search', 'x', '--discovery', both)
    expect(code).toBe(0)
    expect(stderr).toMatch(/^hexachord: http:\/\/127.0.0.1:1 is left aside: .*\n$/)
  })
})

describe('a key', () => {
  test('is made, kept encrypted, and backed up as words', async () => {
    const owner = await newUser()
    try {
      const made = await owner('key', 'new', '--json')
      expect(made.code).toBe(0)
      const { address: mine, path } = line(made.stdout) as { address: string; path: string }
      expect((await stat(path)).mode & 0o777).toBe(0o600)
      expect((await stat(join(owner.home, 'hexachord'))).mode & 0o777).toBe(0o700)
      await expect(owner('key', 'show')).resolves.toEqual({ code: 0, stdout: `${mine}\n`, stderr: '' })

      const { words: backup } = line((await owner('key', 'backup', '--json')).stdout) as { words: string }
      expect(backup.split(' ')).toHaveLength(12)
      // Only the command that is asked for them shows them.
      const kept = await readFile(path, 'utf8')
      for (const text of [made.stdout, made.stderr, kept]) expect(text).not.toContain(backup.slice(0, 12))

      const again = await owner('key', 'new')
      expect(again).toMatchObject({ code: 2, stdout: '' })
      expect(again.stderr).toContain('move it away first')
      await expect(readFile(path, 'utf8')).resolves.toBe(kept)
    } finally {
      await owner.remove()
    }
  })

  test('moves between machines by words and by file', async () => {
    const [first, second] = [await newUser(), await newUser()]
    try {
      const paper = join(first.home, 'words')
      await writeFile(paper, `${words}\n`)
      const restored = await first('key', 'restore', '--words-file', paper)
      expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining(address) })

      const file = join(first.home, 'exported.json')
      await expect(first('key', 'export', file)).resolves.toMatchObject({ code: 0 })
      expect((await stat(file)).mode & 0o777).toBe(0o600)
      await expect(first('key', 'export', file)).resolves.toMatchObject({ code: 2 })

      await expect(second('key', 'import', file)).resolves.toMatchObject({ code: 0 })
      await expect(second('key', 'backup')).resolves.toMatchObject({ code: 0, stdout: `${words}\n` })
    } finally {
      await first.remove()
      await second.remove()
    }
  })

  test('does not come from wrong words, a wrong file or a wrong password', async () => {
    const owner = await newUser()
    try {
      const file = join(owner.home, 'file')
      await writeFile(file, words.replace('junk', 'test'))
      const misspelt = await owner('key', 'restore', '--words-file', file)
      expect(misspelt).toMatchObject({ code: 2, stderr: expect.stringContaining('a word is misspelt') })
      expect(misspelt.stderr).not.toContain('test test')
      await expect(owner('key', 'import', file)).resolves.toMatchObject({
        code: 2,
        stderr: 'hexachord: this is no key file (Web3 Secret Storage v3)\n',
      })
      await expect(owner('key', 'import', `${file}.none`)).resolves.toMatchObject({ code: 2 })
      const wrong = await newUser({ HEXACHORD_HOME: join(owner.home, 'hexachord') })
      await writeFile(file, words)
      await owner('key', 'restore', '--words-file', file)
      await writeFile(join(wrong.home, 'password'), 'correct house')
      await expect(wrong('key', 'backup')).resolves.toEqual({
        code: 2,
        stdout: '',
        stderr: 'hexachord: the password is wrong\n',
      })
      await wrong.remove()
    } finally {
      await owner.remove()
    }
  })
})
