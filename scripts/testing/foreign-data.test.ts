import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'

const root = join(import.meta.dirname, '../..')

/** What runs at somebody's, by packages that may use `protocol/checked`. */
const packages = '{protocol,storage,creator-node,content-service,discovery-provider,client}/**/*.ts'

/** The two places where zod is asked: for values in hand, and for requests. */
const mayAsk = /^(protocol\/checked|platform\/http)\//
const isForTests = /\.test\.ts$|\/fixtures\/|node_modules\//

/** `.parse(` and `.safeParse(` of whatever is no parser of something else. */
const direct = /(?<!\b(?:JSON|Date|CID|URL|ipaddr))\.(?:safeParse|parse)\(/g

describe('a value that others may have written', () => {
  test('is measured by `protocol/checked` alone, since zod itself may throw a TypeError', async () => {
    const asking: string[] = []
    for await (const file of glob(packages, { cwd: root, exclude: ['**/node_modules/**'] })) {
      if (mayAsk.test(file) || isForTests.test(file)) continue
      const text = await readFile(join(root, file), 'utf8')
      for (const { index } of text.matchAll(direct)) {
        asking.push(`${file}:${text.slice(0, index).split('\n').length}`)
      }
    }
    expect(asking).toEqual([])
  })
})
