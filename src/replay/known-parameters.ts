/**
 * Throws the refusal for a parameter that is unknown, empty or there twice. Most real exchanges ignore such a parameter,
 * and the adapter that sent it would not notice.
 */
export function refuseOtherParameters(
  query: URLSearchParams,
  known: readonly string[],
  refusal: (name: string, value: string) => Error,
): void {
  for (const [name, value] of query)
    if (!known.includes(name) || value === '' || query.getAll(name).length > 1) throw refusal(name, value)
}
