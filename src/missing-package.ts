import { Misconfigured } from './fault.ts'

const codes: readonly unknown[] = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']

/** Misconfigured with the install command if a package is missing, else the error. `need`: "DuckDB answers queries". */
export function missingPackage(error: unknown, need: string, packages: readonly string[]): unknown {
  const isMissing =
    error instanceof Error &&
    'code' in error &&
    codes.includes(error.code) &&
    packages.some((name) => error.message.includes(`'${name}'`))
  if (!isMissing) return error
  return new Misconfigured(
    `${need}: install ${packages.length === 1 ? 'it' : 'them'} with npm install ${packages.join(' ')}`,
    {
      cause: error,
    },
  )
}
