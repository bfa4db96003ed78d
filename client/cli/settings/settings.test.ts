import { link, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyFromPrivateKey } from '@hexachord/sdk/keys'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { fileUploadMemory, keyStore, readSettings, replaceKey } from './index.ts'

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
      creators: 'find',
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

  test('signs in the name of an author whose keys were rotated to it, and is itself where money counts', async () => {
    const store = keyStore(home)
    const author = `0x${'a7'.repeat(20)}` as const
    await store.save(key, 'correct horse')
    await expect(store.author()).resolves.toBe(key.address)
    await store.setAuthor(author)
    const open = async () => 'correct horse'
    await expect(Promise.all([store.author(), store.address()])).resolves.toEqual([author, key.address])
    await expect(store.open(open)).resolves.toMatchObject({ address: key.address })
    const signing = await store.openAuthor(open)
    expect([signing.address, signing.privateKey]).toEqual([author, key.privateKey])
    await writeFile(store.path, (await store.read()).replace(author, '0xa7'))
    await expect(store.author()).rejects.toThrow('names no author such as')
  }, 20_000)

  test('lets another key take its place and keeps the one of before, also after it was cut off in between', async () => {
    const next = keyStore(join(home, 'next'))
    const other = keyFromPrivateKey(`0x${'02'.repeat(32)}`)
    await keyStore(home).save(key, 'correct horse')
    await next.save(other, 'correct horse', { author: key.address })
    await mkdir(join(home, `before-${key.address}`))
    await link(join(home, 'key.json'), join(home, `before-${key.address}`, 'key.json'))
    const before = await replaceKey(home, next)
    await expect(keyStore(before).address()).resolves.toBe(key.address)
    await expect(keyStore(home).address()).resolves.toBe(other.address)
    await expect(keyStore(home).author()).resolves.toBe(key.address)
    await expect(next.exists()).resolves.toBe(false)
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
    await expect(fileUploadMemory(directory).list()).resolves.toEqual([{ key: 'two', saved }])
    await expect(readdir(join(directory, 'uploads'))).resolves.toHaveLength(1)
  })

  test('loses nothing where several files are sent at a time', async () => {
    const memory = fileUploadMemory(home)
    const keys = Array.from({ length: 20 }, (_, index) => `upload ${index}`)
    await Promise.all(keys.map((key) => memory.save(key, saved)))
    const kept = await fileUploadMemory(home).list()
    expect(kept.map(({ key }) => key).toSorted()).toEqual(keys.toSorted())
  })

  test.each(['', 'null', '[]', '{"key":"one","saved":{"subject":"?"}}', '{"one"'])(
    'begins anew from a file of %j',
    async (text) => {
      const memory = fileUploadMemory(home)
      await memory.save('one', saved)
      const [name = ''] = await readdir(join(home, 'uploads'))
      await writeFile(join(home, 'uploads', name), text)
      await expect(memory.load('one')).resolves.toBeUndefined()
      await expect(memory.list()).resolves.toEqual([])
      await memory.save('one', saved)
      await expect(memory.load('one')).resolves.toEqual(saved)
    },
  )

  test('forgets the oldest of very many', async () => {
    const memory = fileUploadMemory(home, 3)
    for (const key of ['one', 'two', 'three', 'four']) {
      await memory.save(key, saved)
      const files = await readdir(join(home, 'uploads'))
      // Clocks of file systems are coarse.
      const ages = await Promise.all(files.map((name) => ageOf(join(home, 'uploads', name))))
      await Promise.all(ages.map(({ path, time }) => utimes(path, time - 10, time - 10)))
    }
    const kept = await memory.list()
    expect(kept.map(({ key }) => key).toSorted()).toEqual(['four', 'three', 'two'])
  })
})

async function ageOf(path: string): Promise<{ path: string; time: number }> {
  return { path, time: (await stat(path)).mtimeMs / 1000 }
}
