import { describe } from '@jest/globals'
import { contents } from './fixtures/contents.ts'
import { subjectSuite } from './fixtures/subject-suite.ts'

describe('a playlist', () => {
  subjectSuite('playlist', { contents: contents.playlist, adds: ['tracks'] })
})
