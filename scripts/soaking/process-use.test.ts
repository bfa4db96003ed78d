import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { makeTemporaryFolder } from '../testing/temporary-folder.ts'
import { diskUse } from './disk-use.ts'
import { figureOf, processUse, rssOf } from './process-use.ts'

describe('what a process uses', () => {
  test('is read from its status', () => {
    expect(rssOf('Name:\tnode\nVmPeak:\t  900 kB\nVmRSS:\t   512 kB\nThreads:\t7\n')).toBe(512 * 1024)
    expect(rssOf('Name:\tkthreadd\n')).toBe(0)
  })

  test('is known of one that runs where there is /proc, and of no other', async () => {
    const use = await processUse(process.pid)
    if (process.platform === 'linux') {
      expect(use?.rssBytes).toBeGreaterThan(10_000_000)
      expect(use?.descriptors).toBeGreaterThan(2)
    } else expect(use).toBeUndefined()
    expect(await processUse(2 ** 22 + 1)).toBeUndefined()
  })
})

describe('a page of metrics', () => {
  const page = [
    '# HELP heap_bytes Used',
    '# TYPE heap_bytes gauge',
    'heap_bytes{service="a"} 12',
    'heap_bytes{service="b"} 30.5',
    'heap_bytes_total{service="a"} 99',
    'plain 7',
  ].join('\n')

  test('is asked for one figure, whatever its labels', () => {
    expect(figureOf(page, 'heap_bytes')).toBe(42.5)
    expect(figureOf(page, 'plain')).toBe(7)
    expect(figureOf(page, 'other')).toBeUndefined()
  })
})

test('files of a node are counted by what they are', async () => {
  const folder = await makeTemporaryFolder()
  try {
    await mkdir(path.join(folder.path, 'blocks/ab'), { recursive: true })
    for (const [file, size] of [
      ['blocks/ab/x', 100],
      ['node.sqlite', 10],
      ['node.sqlite-wal', 20],
      ['node.sqlite-shm', 3],
      ['peer.key', 1],
    ] as const)
      await writeFile(path.join(folder.path, file), Buffer.alloc(size))
    expect(await diskUse(folder.path)).toEqual({ blocks: 100, sqlite: 10, wal: 23, other: 1 })
    expect(await diskUse(path.join(folder.path, 'gone'))).toEqual({ blocks: 0, sqlite: 0, wal: 0, other: 0 })
  } finally {
    await folder.remove()
  }
})
