import { appendFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { subjectOf } from '@hexachord/protocol/names'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { fileListeningHistory } from './index.ts'

const author = `0x${'a1'.repeat(20)}` as const
const play = (playedAtMs: number) => {
  const track = subjectOf(author, BigInt(playedAtMs))
  return { track, author, title: 'Ut queant laxis', artist: 'Guido', playedAtMs }
}

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'hexachord-history-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

describe('the listening history', () => {
  test('is kept once it was asked for, for its owner alone, and until it is ended', async () => {
    const history = fileListeningHistory(join(home, 'new'))
    await history.add(play(1))
    expect(await history.list(10)).toBeUndefined()
    await history.begin()
    await history.add(play(2))
    await history.begin()
    await history.add(play(3))
    expect(await history.list(10)).toEqual([play(3), play(2)])
    expect(await history.list(1)).toEqual([play(3)])
    expect((await stat(join(home, 'new', 'history.jsonl'))).mode & 0o777).toBe(0o600)
    await history.end()
    await history.add(play(4))
    expect(await history.list(10)).toBeUndefined()
  })

  test('goes on after a line that a crash has cut short', async () => {
    const history = fileListeningHistory(home)
    await history.begin()
    await history.add(play(1))
    await appendFile(join(home, 'history.jsonl'), '{"track":"0x\n')
    await history.add(play(2))
    expect(await history.list(10)).toEqual([play(2), play(1)])
  })
})
