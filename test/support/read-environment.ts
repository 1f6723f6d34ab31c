import { InvalidInput } from '../../src/fault.ts'
import { checkEnvironment, type Environment } from '../../src/settings/environment.ts'

/** The environment of the variables. Throws InvalidInput with every mistake. */
export function readEnvironment(variables: NodeJS.ProcessEnv): Environment {
  const { data, mistakes } = checkEnvironment(variables)
  if (data !== undefined) return data
  throw new InvalidInput(mistakes.map((mistake) => `environment: ${mistake}`).join('\n'))
}
