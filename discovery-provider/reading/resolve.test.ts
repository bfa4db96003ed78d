import { describe, expect, test } from '@jest/globals'
import { nameInUrl } from './resolve.ts'

const address = `0x${'a1'.repeat(20)}`

describe('the name in a URL', () => {
  test.each([
    [`https://app.example/tracks/${address}-7`, { subject: `${address}-7` }],
    [`https://app.example/tracks/${address}-7/stream?x=1#y`, { subject: `${address}-7` }],
    [`https://app.example/#/playlists/${address}-8`, { subject: `${address}-8` }],
    [`https://app.example/users/${address}`, { user: address }],
    ['https://app.example/@guido', { handle: 'guido' }],
    ['https://app.example/%40guido/', { handle: 'guido' }],
    ['https://app.example/v1/users/guido', { handle: 'guido' }],
    [`https://app.example/@guido/${address}-7`, { subject: `${address}-7` }],
    ['https://app.example/', undefined],
    ['https://app.example/@Not-A-Handle', undefined],
    ['https://app.example/%ff%', undefined],
    [`https://app.example/tracks/${address}-07`, undefined],
  ])('%s', (url, name) => {
    expect(nameInUrl(url)).toEqual(name)
  })
})
