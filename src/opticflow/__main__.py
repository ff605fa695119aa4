"""python -m opticflow"""

from opticflow.cli import main

if __name__ == "__main__":
    main()
