export { readTags, type TaggedFile, type Tags, TagsUnreadable } from './read-tags.ts'
export { type CoverImage, CoverUnusable, resizeCover } from './resize-cover.ts'
