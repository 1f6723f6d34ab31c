// Set before drawing to avoid flashing; stored.
{
  const themes = ['system', 'light', 'dark']
  const key = 'beacon.theme'
  const root = document.documentElement
  const system = matchMedia('(prefers-color-scheme: dark)')
  let chosen = 'system'

  // Storage may be blocked.
  const remembered = () => {
    try {
      return localStorage.getItem(key)
    } catch {
      return null
    }
  }
  const remember = (theme: string) => {
    try {
      localStorage.setItem(key, theme)
    } catch {}
  }
  const apply = (theme: string | null) => {
    chosen = theme !== null && themes.includes(theme) ? theme : 'system'
    root.dataset.theme = chosen === 'system' ? (system.matches ? 'dark' : 'light') : chosen
    const chooser = document.querySelector<HTMLSelectElement>('#theme')
    if (chooser) chooser.value = chosen
    document.dispatchEvent(new Event('theme'))
  }

  apply(remembered())
  document.addEventListener('DOMContentLoaded', () => apply(remembered()))
  document.addEventListener('change', ({ target }) => {
    if (!(target instanceof HTMLSelectElement) || target.id !== 'theme') return
    remember(target.value)
    apply(target.value)
  })
  // Changed in another tab.
  addEventListener('storage', (event) => {
    if (event.key === key) apply(event.newValue)
  })
  system.addEventListener('change', () => apply(chosen))
}
