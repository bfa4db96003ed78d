import { openSqlite } from '@hexachord/platform/sqlite'
import { expect, test } from '@jest/globals'
import { byManifestQuery, catalogueMigrations } from './catalogue-store.ts'

test('tracks are found by their manifest without looking at others', () => {
  const database = openSqlite(':memory:', { migrations: catalogueMigrations })
  const add = (key: string, value: object) =>
    database.run('INSERT INTO catalogue_state (key, value) VALUES (?, ?)', key, JSON.stringify(value))
  add('subject/1', { body: { manifest: 'one' } })
  add('subject/2', { body: { manifest: 'two' } })
  add('subject/3', { body: { manifest: 'one' } })
  add('follow/1', { on: true })
  const keys = database.all<{ key: string }>(byManifestQuery, 'one').map(({ key }) => key)
  expect(keys).toEqual(['subject/1', 'subject/3'])
  const plan = database.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${byManifestQuery}`, 'one')
  const details = plan.map(({ detail }) => detail).join('\n')
  expect(details).toContain('USING INDEX catalogue_state_by_manifest')
  expect(details).not.toContain('SCAN')
  database.close()
})
