import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyFromPrivateKey } from '@hexachord/sdk/keys'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { fileUploadMemory, keyStore, readSettings } from './index.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'hexachord-settings-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

const config = (text: string) => writeFile(join(home, 'config.json'), text)

describe('settings', () => {
  test('are those of a local network where nothing is said', async () => {
    await expect(readSettings({ HEXACHORD_HOME: home })).resolves.toEqual({
      directory: home,
      discovery: ['http://127.0.0.1:4610'],
      creators: ['http://127.0.0.1:4600'],
      gateways: [],
    })
    await expect(readSettings({ XDG_CONFIG_HOME: home })).resolves.toMatchObject({
      directory: join(home, 'hexachord'),
    })
  })

  test('come from options before the environment, and from there before the file', async () => {
    await config('{"discovery":["https://a.example/"],"creators":["https://b.example","https://c.example"]}')
    const env = { HEXACHORD_HOME: home, HEXACHORD_CREATORS: 'https://d.example, https://e.example' }
    await expect(readSettings(env, { discovery: 'https://f.example:443/path' })).resolves.toMatchObject({
      discovery: ['https://f.example'],
      creators: ['https://d.example', 'https://e.example'],
    })
    await expect(readSettings({ HEXACHORD_HOME: home })).resolves.toMatchObject({
      discovery: ['https://a.example'],
      creators: ['https://b.example', 'https://c.example'],
    })
  })

  test.each(['not json', 'null', '{"discovery":["a.example"]}'])(
    'from a file of %s are refused',
    async (text) => {
      await config(text)
      await expect(readSettings({ HEXACHORD_HOME: home })).rejects.toMatchObject({ name: 'UsageError' })
    },
  )
})

describe('the key store', () => {
  const key = keyFromPrivateKey(`0x${'01'.repeat(32)}`)

  test('never writes over a key, also one that came while it encrypted', async () => {
    const store = keyStore(join(home, 'new'))
    const results = await Promise.allSettled([
      store.save(key, 'correct horse'),
      keyStore(join(home, 'new')).save(key, 'another horse'),
    ])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    await expect(readdir(join(home, 'new'))).resolves.toEqual(['key.json'])
    await expect(store.address()).resolves.toBe(key.address)
  }, 20_000)

  test('knows a file that is no key', async () => {
    await writeFile(join(home, 'key.json'), '{}')
    await expect(keyStore(home).address()).rejects.toThrow('is no key file')
  })
})

describe('the memory of uploads', () => {
  const saved = {
    subject: `0x${'1'.repeat(40)}-5`,
    node: 'https://n.example',
    url: 'https://n.example/1',
  } as const

  test('outlives its process', async () => {
    const directory = join(home, 'not', 'there', 'yet')
    await fileUploadMemory(directory).save('one', saved)
    await fileUploadMemory(directory).save('two', saved)
    await expect(fileUploadMemory(directory).load('one')).resolves.toEqual(saved)
    await fileUploadMemory(directory).forget('one')
    await expect(fileUploadMemory(directory).load('one')).resolves.toBeUndefined()
    await expect(fileUploadMemory(directory).load('two')).resolves.toEqual(saved)
    await expect(readdir(directory)).resolves.toEqual(['uploads.json'])
  })

  test.each(['', 'null', '[]', '{"one":{"subject":"?"}}', '{"one"'])(
    'begins anew from a file of %j',
    async (text) => {
      await mkdir(home, { recursive: true })
      await writeFile(join(home, 'uploads.json'), text)
      const memory = fileUploadMemory(home)
      await expect(memory.load('one')).resolves.toBeUndefined()
      await memory.save('one', saved)
      await expect(memory.load('one')).resolves.toEqual(saved)
    },
  )

  test('forgets the oldest of very many', async () => {
    const all = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`upload ${index}`, saved]))
    await writeFile(join(home, 'uploads.json'), JSON.stringify(all))
    await fileUploadMemory(home).save('last', saved)
    const kept = JSON.parse(await readFile(join(home, 'uploads.json'), 'utf8'))
    expect(Object.keys(kept)).toHaveLength(100)
    expect(kept['upload 0']).toBeUndefined()
  })
})
