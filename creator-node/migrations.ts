import { outboxMigrations } from '@hexachord/platform/chain'
import { archiveMigrations } from '@hexachord/storage/archives'
import { catalogueMigrations } from '@hexachord/storage/catalogue'
import { ipfsMigrations } from '@hexachord/storage/ipfs'
import { premiumMigrations } from '@hexachord/storage/premium'
import { takedownMigrations } from '@hexachord/storage/takedowns'
import { budgetMigrations, inviteMigrations } from './admission/index.ts'
import { heldActionMigrations } from './publishing/index.ts'
import { uploadMigrations } from './uploads/index.ts'

/** All that stands in a creator node's one database. */
export const creatorMigrations = [
  ...ipfsMigrations,
  ...catalogueMigrations,
  ...outboxMigrations,
  ...budgetMigrations,
  ...inviteMigrations,
  ...uploadMigrations,
  ...archiveMigrations,
  ...takedownMigrations,
  ...premiumMigrations,
  ...heldActionMigrations,
]
