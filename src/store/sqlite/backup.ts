// A whole copy of an open store.
import { backup as copyPages, DatabaseSync } from 'node:sqlite'
import { storeError } from './failure.ts'
import { createBackupFile, type OpenFile } from './file.ts'

// 4 MB a turn: the copying holds no lock between two turns, and a commit waits for one of them at most.
const PAGES_A_TURN = 1_000

/** Copies the store into a new file. Throws PawlErrors `BACKUP_EXISTS`, and what the disk of the copy refuses. */
export async function backupInto(file: OpenFile, path: string): Promise<void> {
  createBackupFile(path)
  try {
    await copyWhole(file, path)
  } catch (error) {
    throw storeError(error, path)
  }
}

/**
 * Copies all pages as of now. On a connection of its own that holds one snapshot: a copy through the store's connection might end
 * in the middle of a commit, and one without a snapshot starts again whenever a commit comes between.
 */
async function copyWhole({ db, path }: OpenFile, target: string): Promise<void> {
  if (path === ':memory:') {
    db.prepare('vacuum into ?').run(target)
    return
  }
  const source = new DatabaseSync(path, { readOnly: true })
  try {
    source.exec('begin; select 1 from pawl_meta')
    await copyPages(source, target, { rate: PAGES_A_TURN })
  } finally {
    source.close()
  }
}
