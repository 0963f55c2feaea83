"""`python -m cloudistill` is the command line."""

from cloudistill.cli.app import main

main()
