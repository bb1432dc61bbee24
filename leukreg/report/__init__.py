"""Reports: sections from plugins, shown on the console; progress while work goes on."""
