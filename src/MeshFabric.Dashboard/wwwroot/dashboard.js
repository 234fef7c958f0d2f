// The few things that only a browser can do.
window.meshfabric = {
  isDark: () => (localStorage.getItem('meshfabric-theme') ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark',
  setDark: dark => localStorage.setItem('meshfabric-theme', dark ? 'dark' : 'light'),
  copy: text => navigator.clipboard.writeText(text),
};
