"""A person's verbs at a prompt: `msh` for users, `mezctl` for administrators. A module per verb or noun.

    lazy        a group of commands that loads the one it runs
    output      tables, json, yaml
    prompts     asking, on a terminal only
    terminal    asking at the terminal itself, when standard input and output are taken
    flags       values of options, and the options that several commands have
    completion  the same command in both programs

Top levels of modules here import click and the standard library, nothing else: what a command needs is
imported when it runs. A test starts both programs and looks. `msh/proxy_command` needs no click and imports
its few modules at the top; a test looks there too.
"""
