// What is given on a command line, read strictly: what is mistyped is refused, never guessed.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { errorText } from '../base/errors.ts'
import { badUsage } from './exit.ts'

/** A whole number from `least`; BAD_OPTION. */
export function count(text: string | undefined, option: string, least = 1): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!/^\d{1,15}$/.test(text) || value < least) throw badUsage(`${option} ${text}: write a whole number from ${least}`)
  return value
}

/** JSON as it stands there, or from a file (`@file.json`); BAD_OPTION. */
export function json(text: string | undefined, option: string, cwd: string): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text.startsWith('@') ? readFileSync(resolve(cwd, text.slice(1)), 'utf8') : text) as unknown
  } catch (error) {
    throw badUsage(`${option}: ${errorText(error)}. Write JSON, or @file.json`)
  }
}

/** An object of JSON; BAD_OPTION. */
export function jsonObject(text: string | undefined, option: string, cwd: string): object | undefined {
  const value = json(text, option, cwd)
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badUsage(`${option}: write a JSON object, such as '{"street": "Main St 1"}'`)
  return value
}

/** What must be there; BAD_OPTION. */
export function needed<T>(value: T | undefined, what: string): T {
  if (value === undefined || value === '') throw badUsage(`give ${what}`)
  return value
}
